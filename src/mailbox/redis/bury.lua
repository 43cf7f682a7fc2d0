-- now, dead_max, reason, lease. Answers whether it was held.
if redis.call('ZREM', leases, ARGV[4]) == 0 then return 0 end
local id = id_of(ARGV[4])
local item = redis.call('HGET', items, id)
if item then
  redis.call('HINCRBY', tries, id, 1)
  die(id, item, clock(ARGV[1]), ARGV[3], tonumber(ARGV[2]))
end
return 1
