-- Stands before scripts that look at entries in a range: the page, and the last entry if there are more behind it. Returns
-- nothing if the index is not whole. KEYS and ARGV: as of index_find.lua, as far as the command.
local noted = redis.call('HGET', KEYS[1], '')
if not noted or not string.find(noted, ':1' .. ARGV[1] .. ':', 1, true) or not is_kept(KEYS[2]) then
  return false
end
local page = redis.call(ARGV[5], KEYS[2], ARGV[2], ARGV[3], 'LIMIT', '0', ARGV[4]) -- a number would be written as text first
local last = ''
if #page == tonumber(ARGV[4]) then
  last, page[#page] = page[#page - 1], nil
end
