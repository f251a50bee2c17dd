-- Remove the members that are there and add the others. ARGV: where the items are, items.
local list, first, last = items(2)
local there, absent = {}, {}
for i = first, last do
  local side = redis.call('SISMEMBER', KEYS[1], list[i]) == 1 and there or absent
  side[#side + 1] = list[i]
end
local left = time_left(KEYS)
feed('SADD', KEYS[1], absent, 1, #absent) -- before any goes, or the key could be emptied and lose its deadline
feed('SREM', KEYS[1], there, 1, #there)
settle(KEYS[1], left)
