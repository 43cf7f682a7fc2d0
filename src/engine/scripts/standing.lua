-- Where a topic stands. KEYS: head, messages, order of keys, last batch of the node that asks.
-- Offsets are given by this life of the server: what it finds of a former one may lie back in time, so it begins
-- a new epoch.
local function standing(candidate, ttl_ms)
  local run = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
  local head = redis.call('HMGET', KEYS[1], 'epoch', 'run', 'offset')
  local epoch, offset = head[1], tonumber(head[3])
  if not epoch or head[2] ~= run then
    redis.call('DEL', KEYS[2], KEYS[3], KEYS[4])
    redis.call('HSET', KEYS[1], 'epoch', candidate, 'run', run, 'offset', '0')
    epoch, offset = candidate, 0
  end
  redis.call('PEXPIRE', KEYS[1], ttl_ms)
  return epoch, offset
end
