-- leases. Answers how many were held.
local ends = redis.call('ZMSCORE', leases, unpack(ARGV))
local held, ids, seen, freed = {}, {}, {}, 0
for at, lease in ipairs(ARGV) do
  if ends[at] and not seen[lease] then
    seen[lease] = true
    local bytes, id = string.match(lease, '^%d+:(%d+):(.*)$')
    held[#held + 1], ids[#ids + 1] = lease, id
    freed = freed + tonumber(bytes)
  end
end
if #held > 0 then
  redis.call('ZREM', leases, unpack(held))
  redis.call('HDEL', items, unpack(ids))
  if redis.call('HLEN', tries) > 0 then redis.call('HDEL', tries, unpack(ids)) end
  weigh(-freed)
end
return #held
