-- Put items in place of all fields if these are as expected. ARGV: where the items are, how many of them are expected;
-- items: the expected ones, then the new ones, each fields and bytes in turn.
local list, first, last = items(3)
local new = first + ARGV[2]
if redis.call('HLEN', KEYS[1]) * 2 ~= new - first then return 0 end
local fields = {}
for i = first, new - 1, 2 do fields[#fields + 1] = list[i] end
for i, data in ipairs(ask('HMGET', KEYS[1], fields, 1, #fields)) do
  if data ~= list[first + 2 * i - 1] then return 0 end
end
put('HSET', KEYS[1], list, new, last)
return 1
