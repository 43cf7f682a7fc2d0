-- now, items_max, bytes_max, then id, delay, item of each. Answers a letter for each: accepted, full, duplicate.
local now, items_max, bytes_max = clock(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local count, bytes, has_dead = redis.call('HLEN', items), held_bytes(), redis.call('HLEN', dead) > 0
local outcome, due, added = {}, {{}, {}, {}}, 0
for at = 4, #ARGV, 3 do
  local id, delay, item = ARGV[at], tonumber(ARGV[at + 1]), ARGV[at + 2]
  local size = #item - HEAD
  if has_dead and redis.call('HEXISTS', dead, id) == 1 then
    outcome[#outcome + 1] = 'D'
  elseif count >= items_max or bytes + added + size > bytes_max then
    outcome[#outcome + 1] = redis.call('HEXISTS', items, id) == 1 and 'D' or 'F'
  else
    local ttl = string.sub(item, 2, HEAD)
    if ttl ~= FOREVER then
      item = string.sub(item, 1, 1) .. string.format('%013d', now + tonumber(ttl)) .. string.sub(item, HEAD + 1)
    end
    if redis.call('HSETNX', items, id, item) == 0 then
      outcome[#outcome + 1] = 'D'
    else
      outcome[#outcome + 1] = 'A'
      count, added = count + 1, added + size
      local lane = tonumber(string.sub(item, 1, 1))
      if delay > 0 then
        redis.call('ZADD', delayed[lane], now + delay, id)
      else
        due[lane][#due[lane] + 1] = id
      end
    end
  end
end
for lane = 1, 3 do
  if #due[lane] > 0 then redis.call('RPUSH', ready[lane], unpack(due[lane])) end
end
weigh(added)
return table.concat(outcome)
