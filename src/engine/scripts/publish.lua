-- Gives messages their offsets, remembers and publishes them.
-- ARGV: epoch if one begins, head's ttl, class, messages kept, ttl of messages (0: none), command that publishes, channel,
-- token of the batch, ttl of the token, then key and message in turn. A batch that is sent again is answered as before.
local epoch, offset = standing(ARGV[1], ARGV[2])
local last = redis.call('HMGET', KEYS[4], 'token', 'epoch', 'first')
if last[1] and last[2] == epoch and tonumber(ARGV[8]) <= tonumber(last[1]) then
  -- A try that was given up and came behind the batch after it is done, too: nobody waits for its answer.
  return {epoch, tonumber(last[3])}
end
local is_latest, kept = ARGV[3] == 'latest', tonumber(ARGV[4])
local first, lengths, bodies = offset + 1, {}, {}
for i = 10, #ARGV, 2 do
  local key, body = ARGV[i], ARGV[i + 1]
  offset = offset + 1
  local text = string.format('%.0f', offset)
  if is_latest then
    local is_new = redis.call('HSET', KEYS[2], key, text .. '\n' .. body) == 1
    redis.call('ZADD', KEYS[3], text, key)
    if is_new and redis.call('HLEN', KEYS[2]) > kept then
      redis.call('HDEL', KEYS[2], redis.call('ZPOPMIN', KEYS[3])[1])
    end
  else
    redis.call('XADD', KEYS[2], 'MAXLEN', '~', kept, text .. '-0', 'm', body)
  end
  lengths[#lengths + 1] = #body
  bodies[#bodies + 1] = body
end
redis.call('HSET', KEYS[1], 'offset', string.format('%.0f', offset))
if ARGV[5] ~= '0' then
  redis.call('PEXPIRE', KEYS[2], ARGV[5])
end
local from = string.format('%.0f', first)
redis.call('HSET', KEYS[4], 'token', ARGV[8], 'epoch', epoch, 'first', from)
redis.call('PEXPIRE', KEYS[4], ARGV[9])
redis.call(ARGV[6], ARGV[7], epoch .. ' ' .. from .. ' ' .. table.concat(lengths, ',') .. '\n' .. table.concat(bodies))
return {epoch, first}
