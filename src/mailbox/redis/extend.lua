-- now, visibility, lease. Answers whether it was held.
if not redis.call('ZSCORE', leases, ARGV[3]) then return 0 end
redis.call('ZADD', leases, clock(ARGV[1]) + tonumber(ARGV[2]), ARGV[3])
return 1
