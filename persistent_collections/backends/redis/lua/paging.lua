-- Stands before scripts that look at entries in a range: the page, and the last entry if there are more behind it. Returns
-- nothing if the index is not whole. KEYS and ARGV: as of index_find.lua, as far as the command.
local noted = redis.call('HGET', KEYS[1], '')
if not noted or not string.find(noted, ':1' .. ARGV[1] .. ':', 1, true) or not is_kept(KEYS[2]) then
  return false
end
local limit = tonumber(ARGV[4])
local page = redis.call(ARGV[5], KEYS[2], ARGV[2], ARGV[3], 'LIMIT', 0, limit + 1)
local last = page[limit + 1] and page[limit] or ''
page[limit + 1] = nil
