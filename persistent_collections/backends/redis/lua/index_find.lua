-- Look at entries in a range, and forget those of records that are gone. KEYS: the memo, the index. ARGV: the name of the
-- index, the lowest and the highest bound as ZRANGEBYLEX takes them, one more than how many to look at, the command, and
-- the fields to read of each record, or `count` alone.
-- Returns nothing if the index is not whole, else the last entry if there are more behind it, and the entries with the
-- fields of each; or how many records exist, and where to go on.
local ids = {}
reply = {last}
for i, entry in ipairs(page) do ids[i] = id_of(entry) end
local gone, count = {}, 0
for from = 1, #ids, 4000 do
  local piece = {unpack(ids, from, math.min(from + 3999, #ids))}
  for i in pairs(forget_gone(start, piece)) do gone[from + i - 1] = true end
end
for i, entry in ipairs(page) do
  if gone[i] then
    redis.call('ZREM', KEYS[2], entry)
  elseif ARGV[6] == 'count' then
    count = count + 1
  else
    local data = ARGV[7] and redis.pcall('HMGET', start .. ids[i], unpack(ARGV, 7))
    if not data or not data.err then -- else another program keeps something else there
      reply[#reply + 1] = entry
      reply[#reply + 1] = data or nil
    end
  end
end
if ARGV[6] == 'count' then return {last, count} end
return reply
