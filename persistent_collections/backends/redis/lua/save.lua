-- Make a record or set fields of one, with its entries: what most steps with entries do, for which commit.lua takes longer.
-- KEYS: the record's, those of its children. ARGV: 0 if the record must not exist, 1 if it must, 2 if it may, the id, 1 if
-- the indexes need not be whole, how many entries to look at, how many arguments are fields that the record holds with their
-- bytes, how many are fields of a record that is made, what given() takes, both, the fields that are set in any case.
-- Returns 1, or 2 if an entry was found whose record is gone, or, with nothing done, 0 if the record is not as it must be, or what refusal() returns.
local function rest() -- what few steps need, and would cost all of them time
  --[[ENTERING]]
  return {refusal = refusal, forget = forget, sweep = sweep, tail_of = tail_of}
end

local call, ARGV, record, id = redis.call, ARGV, KEYS[1], ARGV[2]
local is_new = call('EXISTS', record) == 0
if ARGV[1] == (is_new and '1' or '0') then return 0 end
local start, anyway, held = string.sub(record, 1, -1 - #id), ARGV[3] == '1', 8 + 3 * ARGV[7]
local first = held + ARGV[5]
for i = held, first - 1, 2 do
  if call('HGET', record, ARGV[i]) ~= ARGV[i + 1] then return 0 end
end
local memo = start .. '::'
local told = call('HMGET', memo, '', id)
local noted, row = told[1] or '', told[2]
local tail = id .. string.char(0, math.floor(#id / 256), #id % 256)
if string.find(id, '\0', 1, true) then tail = rest().tail_of(id) end
local parts, names, indexes, entries, number, is_clear = {}, {}, {}, {}, 0, true
for i = 8, held - 1, 3 do
  if is_new == (ARGV[i + 1] == '1') then
    local name, part = ARGV[i], ARGV[i + 2]
    local index, key = start .. ':' .. name, string.sub(part, 7 + #name)
    number, parts[name] = number + 1, part
    names[number], indexes[number], entries[number] = name, index, key .. tail
    if not anyway then
      is_clear = is_clear and string.find(noted, ':1' .. name .. ':', 1, true) and call('ZRANGE', index, '0', '0')[1] == ''
    end
    if is_clear and string.byte(part) == 1 then
      local found = call('ZRANGEBYLEX', index, '[' .. key, '(' .. key .. '\255', 'LIMIT', '0', '2')
      is_clear = not found[1] or not found[2] and found[1] == entries[number]
    end
  end
end
if not is_clear then
  local refused = rest().refusal({start = start, id = id, anyway = anyway, is_new = is_new, parts = parts})
  if refused then return refused end
end
local set = first + ARGV[6]
if is_new then
  if set > first then call('HSET', record, unpack(ARGV, first, set - 1)) end -- first, so that a full server refuses it
  for i = 2, #KEYS do call('UNLINK', KEYS[i]) end
  if row then rest().forget(start, id) end
  row = ''
end
if set <= #ARGV then call('HSET', record, unpack(ARGV, set)) end
if number > 0 then
  local old = not is_new and row and parts_of(row) or {}
  row = ''
  for i = 1, number do
    local name = names[i]
    local part, before = parts[name], old[name]
    if before and before ~= part then
      call('ZREM', indexes[i], string.sub(before, 7 + #name) .. tail)
    end
    call('ZADD', indexes[i], '0', entries[i])
    row, old[name] = row .. part, nil
  end
  for _, part in pairs(old) do row = row .. part end
  call('HSET', memo, id, row)
end
if ARGV[4] ~= '0' and number > 0 and rest().sweep(start, names, ARGV[4]) then return 2 end
return 1
