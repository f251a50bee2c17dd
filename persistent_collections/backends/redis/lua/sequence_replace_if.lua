-- Put items in place of all if these are as expected. ARGV: where the items are, how many of them are expected;
-- items: the expected ones, then the new ones.
local list, first, last = items(3)
local new = first + ARGV[2]
if redis.call('LLEN', KEYS[1]) ~= new - first then return 0 end
for i, item in ipairs(redis.call('LRANGE', KEYS[1], 0, -1)) do
  if item ~= list[first + i - 1] then return 0 end
end
put('RPUSH', KEYS[1], list, new, last)
return 1
