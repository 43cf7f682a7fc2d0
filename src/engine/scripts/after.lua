-- What follows a place. ARGV: epoch if one begins, head's ttl, class, epoch and offset of the place, how many at most.
-- A place in another epoch is the beginning of this one.
local epoch, offset = standing(ARGV[1], ARGV[2])
local after = epoch == ARGV[4] and tonumber(ARGV[5]) or 0
local found = {}
if ARGV[3] == 'latest' then
  local keys = redis.call('ZRANGEBYSCORE', KEYS[3], '(' .. string.format('%.0f', after), '+inf', 'LIMIT', 0, ARGV[6])
  for _, key in ipairs(keys) do
    local value = redis.call('HGET', KEYS[2], key)
    local line = string.find(value, '\n', 1, true)
    found[#found + 1] = {tonumber(string.sub(value, 1, line - 1)), string.sub(value, line + 1)}
  end
else
  local entries = redis.call('XRANGE', KEYS[2], string.format('%.0f', after + 1) .. '-0', '+', 'COUNT', ARGV[6])
  for _, entry in ipairs(entries) do
    found[#found + 1] = {tonumber(string.match(entry[1], '^%d+')), entry[2][2]}
  end
end
return {epoch, offset, found}
