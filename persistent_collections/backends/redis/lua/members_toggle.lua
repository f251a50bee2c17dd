-- Remove the members that are there and add the others. ARGV: where the items are, items.
local list, first, last = items(2)
local there, absent = {}, {}
for i, found in ipairs(ask('SMISMEMBER', KEYS[1], list, first, last)) do
  local side = found == 1 and there or absent
  side[#side + 1] = list[first + i - 1]
end
feed('SADD', KEYS[1], absent, 1, #absent)
feed('SREM', KEYS[1], there, 1, #there)
