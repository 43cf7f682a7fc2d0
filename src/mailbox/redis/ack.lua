-- how many, their bytes together, leases, then their ids. Answers how many were held.
local number = tonumber(ARGV[1])
local ends = redis.call('ZMSCORE', leases, unpack(ARGV, 3, 2 + number))
local held = 0
for at = 1, number do
  if ends[at] then held = held + 1 end
end
if held == number then
  redis.call('ZREM', leases, unpack(ARGV, 3, 2 + number))
  redis.call('HDEL', items, unpack(ARGV, 3 + number))
  if redis.call('HLEN', tries) > 0 then redis.call('HDEL', tries, unpack(ARGV, 3 + number)) end
  weigh(-tonumber(ARGV[2]))
  return held
end
-- Some are somebody else's by now.
for at = 1, number do
  if ends[at] then
    local id = ARGV[2 + number + at]
    redis.call('ZREM', leases, ARGV[2 + at])
    weigh(HEAD - redis.call('HSTRLEN', items, id))
    redis.call('HDEL', items, id)
    redis.call('HDEL', tries, id)
  end
end
return held
