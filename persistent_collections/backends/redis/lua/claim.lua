-- CLAIM: let an id have entries, in the slot of its class. KEYS: the memo, the indexes. ARGV: the id as in places, the least
-- stamp, 1 if the indexes need not be whole, how old an entry is that may be swept, how many to look at, how many entries,
-- for each the number of its index among KEYS, the name of that, 1 for a claim, the key; then of entries to take away the
-- number of the index, the place, the last stamp.
-- Returns 'claimed' and the stamp, or, with nothing added, 'contested' and the time, both followed by numbers of indexes and
-- entries: old ones, or those of others that claim the same; or 'unbuilt' and names of indexes.
local tail, now, count = ARGV[1], clock(), tonumber(ARGV[6])
local unbuilt, contested, claimed = {'unbuilt'}, {'contested', as_text(now)}, {'claimed'}
local noted = redis.call('HGET', KEYS[1], '') or ''

-- Call `each` with the index of each entry, its number, its place, whether it claims, its name and its key.
local function each_entry(each)
  for i = 7, 6 + 4 * count, 4 do
    each(KEYS[tonumber(ARGV[i])], ARGV[i], ARGV[i + 3] .. tail, ARGV[i + 2] == '1', ARGV[i + 1], ARGV[i + 3])
  end
end

if ARGV[3] == '0' then
  each_entry(function(index, _, _, _, name)
    if not string.find(noted, ':1' .. name .. ':', 1, true) or not is_kept(index) then
      unbuilt[#unbuilt + 1] = name
    end
  end)
  if #unbuilt > 1 then return unbuilt end
end
for i = 7 + 4 * count, #ARGV, 3 do
  local index = KEYS[tonumber(ARGV[i])]
  local entry = entry_at(index, ARGV[i + 1])
  if entry and stamp_of(entry) <= tonumber(ARGV[i + 2]) then redis.call('ZREM', index, entry) end
end
local stamp = math.max(now, tonumber(ARGV[2]))
each_entry(function(index, number, place, claims, _, key)
  local own = entry_at(index, place)
  if own then stamp = math.max(stamp, stamp_of(own) + 1) end
  if not claims then return end
  for _, entry in ipairs(redis.call('ZRANGEBYLEX', index, '[' .. key, '(' .. key .. '\255')) do
    local _, is_claimed = stamp_of(entry)
    if entry ~= own and is_claimed then
      contested[#contested + 1] = number
      contested[#contested + 1] = entry
    end
  end
end)
if #contested > 2 then return contested end
claimed[2] = as_text(stamp)
each_entry(function(index, _, place, claims)
  local own = entry_at(index, place)
  redis.call('ZADD', index, 0, stamped(place, stamp, claims))
  if own then redis.call('ZREM', index, own) end
end)
local number = 2 + now % (#KEYS - 1)
local last = math.floor((redis.call('ZCARD', KEYS[number]) + ARGV[5] - 1) * (now * 48271 % 1000003 / 1000003))
for _, entry in ipairs(redis.call('ZRANGE', KEYS[number], math.max(0, last - ARGV[5] + 1), last)) do
  if entry ~= '' and stamp_of(entry) + ARGV[4] < now then
    claimed[#claimed + 1] = tostring(number)
    claimed[#claimed + 1] = entry
  end
end
return claimed
