-- Note which indexes of a class are whole; one that was evicted while it was built is not. Return the names of all that are
-- noted, each followed by 1 if it is whole. Without any index, the rows of the memo are of no use.
-- KEYS: the memo, indexes. ARGV: `whole`, `partial`, `drop` or `read`, 1 to leave those that are noted or have an entry, the
-- names of the indexes.
local noted, reply, text = {}, {}, ':'
for whole, name in string.gmatch(redis.call('HGET', KEYS[1], '') or '', '(%d)([^:]+)') do noted[name] = whole end
for i = 2, #KEYS do
  local name, there = ARGV[i + 1], is_kept(KEYS[i])
  local was_noted = noted[name]
  if not there then noted[name] = nil end -- evicted
  if ARGV[1] == 'drop' then
    redis.call('UNLINK', KEYS[i])
    noted[name] = nil
  elseif ARGV[2] == '1' and redis.call('EXISTS', KEYS[i]) == 0 or ARGV[2] == '0' and (there or not was_noted or ARGV[1] ~= 'whole') then
    redis.call('ZADD', KEYS[i], 0, '')
    noted[name] = ARGV[1] == 'whole' and '1' or '0'
  end
end
for name, whole in pairs(noted) do
  text = text .. whole .. name .. ':'
  reply[#reply + 1] = name
  reply[#reply + 1] = whole == '1' and is_kept(string.sub(KEYS[1], 1, -2) .. name) and 1 or 0
end
if #KEYS > 1 then
  if next(noted) then redis.call('HSET', KEYS[1], '', text) else redis.call('UNLINK', KEYS[1]) end
end
return reply
