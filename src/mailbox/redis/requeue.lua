-- items_max, bytes_max, then ids. Answers how many wait again.
local count, bytes, requeued = redis.call('HLEN', items), held_bytes(), 0
for at = 3, #ARGV do
  local id = ARGV[at]
  local item = redis.call('HGET', dead, id)
  if item then
    local size = #item - HEAD
    if count >= tonumber(ARGV[1]) or bytes + size > tonumber(ARGV[2]) then break end
    local lane = string.sub(item, 1, 1)
    redis.call('HDEL', dead, id)
    redis.call('HDEL', notes, id)
    redis.call('ZREM', died, id)
    redis.call('HSET', items, id, lane .. FOREVER .. string.sub(item, HEAD + 1))
    redis.call('RPUSH', ready[tonumber(lane)], id)
    weigh(size)
    count, bytes, requeued = count + 1, bytes + size, requeued + 1
  end
end
return requeued
