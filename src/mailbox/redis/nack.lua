-- now, delay, deliveries_max, dead_max, reason, then leases. Answers a letter for each: again, dead, not held.
local now, delay = clock(ARGV[1]), tonumber(ARGV[2])
local outcome = {}
-- Those without delay go to the front, so the last one goes first.
for at = #ARGV, 6, -1 do
  local lease, letter = ARGV[at], 'N'
  if redis.call('ZREM', leases, lease) == 1 then
    letter = again(id_of(lease), now, delay, ARGV[5], tonumber(ARGV[3]), tonumber(ARGV[4]))
  end
  outcome[at - 5] = letter
end
return table.concat(outcome)
