-- Stands before scripts that change entries. What one record gets is a table: `start` and `id`; `is_new` if it does not
-- exist before the step; `parts`, as of a row, by the names of indexes; `anyway` if these need not be whole.

-- Return the parts in list[at + 1..], list[at] of them: a name, 1 if it is for a record that is made, a part.
local function given(list, at, made)
  local parts = {}
  for i = at + 1, at + 3 * list[at], 3 do
    if made == (list[i + 1] == '1') then parts[list[i]] = list[i + 2] end
  end
  return parts
end

local function is_claimed(part)
  return part and string.byte(part) == 1
end

-- Return whether another record claims a key, or with `own.any` has it, at the end of a step. `others` says what else that
-- changes, by the names of records, and `types` what they hold then.
local function claims_it(own, name, key, other, others, types)
  local record = own.start .. other
  local type = types[record] or redis.call('EXISTS', record) == 0 and 'gone'
  if type == 'none' then return false end
  local part = others[record] and others[record].parts[name]
  if not part then
    if type == 'gone' then return forget(own.start, other) end
    part = parts_of(redis.call('HGET', own.start .. '::', other))[name]
  end
  return part and (own.any or is_claimed(part)) and key_of(name, part) == key
end

-- Return the id of another record that claims a key, or with `own.any` has it.
local function claimant(own, name, key, others, types)
  local index, low = own.start .. ':' .. name, '[' .. key
  while true do
    local page = redis.call('ZRANGEBYLEX', index, low, '(' .. key .. '\255', 'LIMIT', 0, 100)
    for _, entry in ipairs(page) do
      local other = id_of(entry)
      if other ~= own.id and claims_it(own, name, key, other, others or {}, types or {}) then return other end
    end
    if #page < 100 then return end
    low = '(' .. page[100]
  end
end

-- Return a refusal if some of the indexes that a record needs, the keys of `parts`, are not whole by what is noted.
local function unbuilt(start, id, noted, parts)
  local reply = {'unbuilt', start .. id}
  for name in pairs(parts) do
    local is_noted = noted and string.find(noted, ':1' .. name .. ':', 1, true)
    if not is_noted or not is_kept(start .. ':' .. name) then reply[#reply + 1] = name end
  end
  return #reply > 2 and reply
end

-- Return why a record may not get its parts, if so: indexes are 'unbuilt', or one is 'taken'; then the name of the record,
-- and the names of the indexes, or the name of the index and the other id.
local function refusal(own, others, types)
  local told = redis.call('HMGET', own.start .. '::', '', own.id)
  own.row = told[2]
  local refused = not own.anyway and unbuilt(own.start, own.id, told[1], own.parts)
  if refused then return refused end
  for name, part in pairs(own.parts) do
    local other = is_claimed(part) and claimant(own, name, key_of(name, part), others, types)
    if other then return {'taken', own.start .. own.id, name, other} end
  end
end

-- Change the entries of a record that is not refused them, and its row.
local function enter(own)
  local start, tail = own.start, tail_of(own.id)
  if own.is_new and own.row then forget(start, own.id) end
  local old = parts_of(not own.is_new and own.row)
  for name, part in pairs(own.parts) do
    local index, key = start .. ':' .. name, key_of(name, part)
    local before = old[name] and key_of(name, old[name])
    if before and before ~= key then redis.call('ZREM', index, before .. tail) end
    redis.call('ZADD', index, 0, key .. tail)
    old[name] = part
  end
  local row = ''
  for _, part in pairs(old) do row = row .. part end
  if row ~= '' then redis.call('HSET', start .. '::', own.id, row) end
end
