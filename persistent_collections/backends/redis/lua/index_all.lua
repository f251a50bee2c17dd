-- Stands before index_find.lua and returns what that does, in less time, as long as all records of the page exist.
local start, names, found, reply = string.sub(KEYS[1], 1, -3), {}, 0, {last}
if page[1] and not page[2] and ARGV[6] == '' and not ARGV[7] then -- what most look for: the record of a unique value
  local high, low = string.byte(page[1], -2, -1)
  local name = start .. string.sub(page[1], -3 - high * 256 - low, -4)
  if not string.find(name, '\0', 1, true) and redis.call('EXISTS', name) == 1 then return {last, page[1]} end
end
for i = 1, #page do
  local entry = page[i]
  local high, low = string.byte(entry, -2, -1)
  names[i] = start .. string.sub(entry, -3 - high * 256 - low, -4)
end
if ARGV[7] then
  for i, name in ipairs(names) do
    local data = redis.pcall('HMGET', name, unpack(ARGV, 7))
    local there = false
    for k = 1, #data do there = there or data[k] end
    if not there and (data.err or redis.call('EXISTS', name) == 0) then break end
    reply[2 * i], reply[2 * i + 1], found = page[i], data, i
  end
else
  for from = 1, #names, 4000 do
    found = found + redis.call('EXISTS', unpack(names, from, math.min(from + 3999, #names)))
  end
end
if found == #page and not string.find(table.concat(names), '\0', 1, true) then -- ids are escaped where they have a NUL
  if ARGV[6] == 'count' then return {last, found} end
  if ARGV[7] then return reply end
  table.insert(page, 1, last)
  return page
end

