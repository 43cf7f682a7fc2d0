-- now, limit, visibility, deliveries_max, dead_max, starved_takes, reason of silent workers.
-- Answers token, how many died, how many expired, then id, item, failed deliveries of each.
local now, limit, visibility = clock(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local deliveries_max, dead_max, starved, silent = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6]), ARGV[7]
local dead_now, gone, freed = 0, {}, 0

-- What a dead worker held, the oldest lease to the very front.
local over = redis.call('ZRANGEBYSCORE', leases, '-inf', now, 'LIMIT', 0, 1000)
if #over > 0 then
  redis.call('ZREM', leases, unpack(over))
  for at = #over, 1, -1 do
    if again(id_of(over[at]), now, 0, silent, deliveries_max, dead_max) == 'D' then dead_now = dead_now + 1 end
  end
end
for lane = 1, 3 do
  local due = redis.call('ZRANGEBYSCORE', delayed[lane], '-inf', now, 'LIMIT', 0, 1000)
  if #due > 0 then
    redis.call('ZREM', delayed[lane], unpack(due))
    redis.call('RPUSH', ready[lane], unpack(due))
  end
end

local passed = redis.call('HMGET', meta, 'passed2', 'passed3')
local function kept(lane, room)
  local is_overdue = tonumber(passed[lane - 1] or 0) + 1 >= starved
  return (is_overdue and room > 0 and redis.call('LLEN', ready[lane]) > 0) and 1 or 0
end
local low = kept(3, limit)
local normal = kept(2, limit - low)

local token = redis.call('HINCRBY', meta, 'token', 1)
local has_tries = redis.call('HLEN', tries) > 0
local answer, held, taken = {token, 0, 0}, {}, 0
local function hand_out(lane, room)
  local first = taken
  while taken - first < room do
    local ids = redis.call('LPOP', ready[lane], room - (taken - first))
    if not ids then return taken - first end
    local values = redis.call('HMGET', items, unpack(ids))
    local tried = has_tries and redis.call('HMGET', tries, unpack(ids))
    for at, id in ipairs(ids) do
      local item = values[at]
      if item then
        local expiry = string.sub(item, 2, HEAD)
        if expiry ~= FOREVER and tonumber(expiry) <= now then
          gone[#gone + 1] = id
          freed = freed + #item - HEAD
        else
          taken = taken + 1
          answer[#answer + 1] = id
          answer[#answer + 1] = item
          answer[#answer + 1] = tried and tried[at] or 0
          held[#held + 1] = now + visibility
          held[#held + 1] = token .. ':' .. (#item - HEAD) .. ':' .. id
        end
      end
    end
  end
  return taken - first
end

hand_out(1, limit - low - normal)
for lane = 2, 3 do
  local room = limit - taken - (lane == 2 and low or 0)
  local handed = room > 0 and hand_out(lane, room) or 0
  local before, after = tonumber(passed[lane - 1] or 0), 0
  if handed == 0 and redis.call('LLEN', ready[lane]) > 0 then after = before + 1 end
  if after ~= before then redis.call('HSET', meta, 'passed' .. lane, after) end
end
if #held > 0 then redis.call('ZADD', leases, unpack(held)) end
if #gone > 0 then
  redis.call('HDEL', items, unpack(gone))
  redis.call('HDEL', tries, unpack(gone))
  weigh(-freed)
end
answer[2], answer[3] = dead_now, #gone
return answer
