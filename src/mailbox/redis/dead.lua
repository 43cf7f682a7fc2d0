-- limit. Answers id, item, note of the oldest dead letters.
local answer = {}
for _, id in ipairs(redis.call('ZRANGE', died, 0, tonumber(ARGV[1]) - 1)) do
  answer[#answer + 1] = id
  answer[#answer + 1] = redis.call('HGET', dead, id)
  answer[#answer + 1] = redis.call('HGET', notes, id)
end
return answer
