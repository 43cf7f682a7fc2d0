-- The newest value of a key is nobody's any more. ARGV: key, command that publishes, channel.
redis.call('HDEL', KEYS[2], ARGV[1])
redis.call('ZREM', KEYS[3], ARGV[1])
redis.call(ARGV[2], ARGV[3], '-' .. ARGV[1])
return 1
