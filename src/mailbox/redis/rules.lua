-- What all scripts of a mailbox begin with. Keys are handed in in one order, all with the hash tag of the mailbox.
local items, ready, delayed = KEYS[1], {KEYS[2], KEYS[3], KEYS[4]}, {KEYS[5], KEYS[6], KEYS[7]}
local leases, tries, dead, died, notes, meta = KEYS[8], KEYS[9], KEYS[10], KEYS[11], KEYS[12], KEYS[13]
-- An item is its priority (1 digit), its expiry (13 digits, unix milliseconds) and its payload.
local HEAD, FOREVER = 14, '0000000000000'

-- The server's time, unless one is given: all workers have this clock, whatever their own says.
local function clock(given)
  if given ~= '' then return tonumber(given) end
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function weigh(bytes)
  if bytes ~= 0 then redis.call('HINCRBY', meta, 'bytes', bytes) end
end

local function held_bytes()
  return tonumber(redis.call('HGET', meta, 'bytes') or 0)
end

local function die(id, item, now, reason, dead_max)
  local tried = redis.call('HGET', tries, id) or 0
  redis.call('HDEL', items, id)
  redis.call('HDEL', tries, id)
  redis.call('HSET', dead, id, item)
  redis.call('HSET', notes, id, string.format('%013d%010d', now, tried) .. reason)
  local number = redis.call('HINCRBY', meta, 'died', 1)
  redis.call('ZADD', died, number, id)
  weigh(HEAD - #item)
  local surplus = redis.call('ZCARD', died) - dead_max
  if surplus > 0 then
    local oldest = redis.call('ZPOPMIN', died, surplus)
    for at = 1, #oldest, 2 do
      redis.call('HDEL', dead, oldest[at])
      redis.call('HDEL', notes, oldest[at])
    end
  end
end

-- A delivery has failed: the item waits again (A) or is dead (D).
local function again(id, now, delay, reason, deliveries_max, dead_max)
  local item = redis.call('HGET', items, id)
  if not item then return 'N' end
  if redis.call('HINCRBY', tries, id, 1) >= deliveries_max then
    die(id, item, now, reason, dead_max)
    return 'D'
  end
  local lane = tonumber(string.sub(item, 1, 1))
  if delay > 0 then
    redis.call('ZADD', delayed[lane], now + delay, id)
  else
    redis.call('LPUSH', ready[lane], id)
  end
  return 'A'
end

-- A lease is a member `token:bytes:id`, by its end.
local function id_of(lease)
  return string.match(lease, '^%d+:%d+:(.*)$')
end
