-- Who is in a room by one hub node, and whether the room is occupied.
--
-- KEYS: members (instance/client -> until, space, what is shown), told (what other programs were told: 1 occupied, 0 vacated)
-- ARGV: 1 instance, 2 how long its members are believed, 3 how long keys are kept, 4 what other programs were told as
--       far as the node knows, 5 whether to look for members that nobody refreshes, 6 how many are put, then client and
--       what it shows of each, then the clients that are out
-- Answers whether other programs are to be told: 1 occupied, -1 vacated, 0 nothing; then how many members there are, and
-- the time.
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local puts = tonumber(ARGV[6])
for i = 7, 6 + 2 * puts, 2 do
  redis.call('HSET', KEYS[1], ARGV[1] .. '/' .. ARGV[i], string.format('%.0f', now + ARGV[2]) .. ' ' .. ARGV[i + 1])
end
for i = 7 + 2 * puts, #ARGV do
  redis.call('HDEL', KEYS[1], ARGV[1] .. '/' .. ARGV[i])
end
if ARGV[5] == '1' then
  local all = redis.call('HGETALL', KEYS[1])
  for i = 1, #all, 2 do
    if tonumber(string.match(all[i + 1], '^%d+')) <= now then
      redis.call('HDEL', KEYS[1], all[i])
    end
  end
end
local members = redis.call('HLEN', KEYS[1])
if members > 0 then
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
end
local told = redis.call('GET', KEYS[2]) or ARGV[4]
local is = members > 0 and '1' or '0'
-- Longer than any room is without a word: what was told is known when all nodes were gone for a while.
redis.call('SET', KEYS[2], is, 'PX', 86400000)
local tell = 0
if told ~= is then
  tell = members > 0 and 1 or -1
end
return { tell, members, now }
