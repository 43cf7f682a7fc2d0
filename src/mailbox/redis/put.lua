-- now, items_max, bytes_max, how many, id and item of each, then the delay of each when any has one or expires.
-- Answers a letter for each: accepted, full, duplicate.
local now, items_max, bytes_max, number = clock(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local count, bytes, is_plain = redis.call('HLEN', items), held_bytes(), #ARGV == 4 + 2 * number
local ids = {}
for at = 1, number do ids[at] = ARGV[3 + 2 * at] end
local known = redis.call('HMGET', items, unpack(ids))
local buried = redis.call('HLEN', dead) > 0 and redis.call('HMGET', dead, unpack(ids))
local outcome, due, fields, fresh, added = {}, {{}, {}, {}}, {}, {}, 0
for at = 1, number do
  local id, item = ids[at], ARGV[4 + 2 * at]
  local size = #item - HEAD
  if known[at] or fresh[id] or (buried and buried[at]) then
    outcome[at] = 'D'
  elseif count >= items_max or bytes + added + size > bytes_max then
    outcome[at] = 'F'
  else
    outcome[at] = 'A'
    fresh[id], count, added = true, count + 1, added + size
    local lane, delay = lane_of(item), 0
    if not is_plain then
      delay = tonumber(ARGV[4 + 2 * number + at])
      if expires(item) then
        local end_ms = now + tonumber(string.sub(item, 3, HEAD))
        item = lane .. string.format('%013d', end_ms) .. string.sub(item, HEAD + 1)
      end
    end
    fields[#fields + 1] = id
    fields[#fields + 1] = item
    if delay > 0 then
      redis.call('ZADD', delayed[lane], now + delay, id)
    else
      local row = due[lane]
      row[#row + 1] = id
    end
  end
end
if #fields > 0 then redis.call('HSET', items, unpack(fields)) end
for lane = 1, 3 do
  if #due[lane] > 0 then redis.call('RPUSH', ready[lane], unpack(due[lane])) end
end
weigh(added)
return table.concat(outcome)
