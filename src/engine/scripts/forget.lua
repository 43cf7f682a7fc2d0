-- The newest value of a key is nobody's any more. ARGV: key, channel.
redis.call('HDEL', KEYS[2], ARGV[1])
redis.call('ZREM', KEYS[3], ARGV[1])
redis.call('PUBLISH', ARGV[2], '-' .. ARGV[1])
return 1
