-- Remove all but some members. ARGV: where the items are, items: those that stay.
local list, first, last = items(2)
local stay, gone = {}, {}
for i = first, last do stay[list[i]] = true end
for _, member in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  if not stay[member] then gone[#gone + 1] = member end
end
feed('SREM', KEYS[1], gone, 1, #gone)
