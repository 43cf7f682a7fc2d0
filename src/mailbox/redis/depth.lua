-- Answers how many wait by priority, are leased, are dead, and the bytes of the living.
local depth = {}
for lane = 1, 3 do depth[lane] = redis.call('LLEN', ready[lane]) + redis.call('ZCARD', delayed[lane]) end
depth[4], depth[5], depth[6] = redis.call('ZCARD', leases), redis.call('ZCARD', died), held_bytes()
return depth
