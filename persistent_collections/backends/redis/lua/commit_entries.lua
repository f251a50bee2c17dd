-- Stands in commit.lua before the first change, when conditions hold and shapes are right. Entries are checked by what the
-- records are at the end of the step, then changed. Its conditions and changes are of three kinds:
--   held_by: the id of the record that has a key, empty if none, a name, the key
--   entries: the id, 1 if the indexes need not be whole, what given() takes
--   forget: the id
local owns, others, absent, made, claimed = {}, {}, {}, {}, {}

-- Return the id of a record, the first item of a step on it, and what the names of the records of its class begin with.
local function id_in(name)
  return list[first], string.sub(name, 1, -1 - #list[first])
end

-- Return 0 if another record has a key than the one that is named, or what unbuilt() does.
local function missed(name)
  local own = {any = true}
  own.id, own.start = id_in(name)
  local index, key = list[first + 1], list[first + 2]
  local told = redis.call('HMGET', own.start .. '::', '', own.id)
  local refused = unbuilt(own.start, own.id, told[1], {[index] = true})
  if refused then return refused end
  if claimant(own, index, key) then return 0 end
  if own.id == '' then return end
  local part = parts_of(told[2])[index]
  if not part or key_of(index, part) ~= key or redis.call('EXISTS', name) == 0 then return 0 end
end

-- Note what a record gets.
local function note(name)
  local own = others[name]
  if not own then
    own = {is_new = absent[name] or redis.call('EXISTS', name) == 0, parts = {}}
    own.id, own.start = id_in(name)
    others[name] = own
    owns[#owns + 1] = own
  end
  own.anyway = list[first + 1] == '1'
  for index, part in pairs(given(list, first + 2, own.is_new and made[name] or false)) do own.parts[index] = part end
end

first = origin
for i = 1, steps do
  local kind, name, _, last = step(i)
  if kind == 'held_by' then
    local refused = missed(name)
    if refused then return refused end
  elseif kind == 'delete' then
    absent[name] = true
  elseif kind == 'make' then
    made[name] = true
  elseif kind == 'entries' and type_of(name) ~= 'none' then
    note(name)
  end
  first = last + 1
end
for _, own in ipairs(owns) do
  local refused = refusal(own, others, held)
  if refused then return refused end
  for index, part in pairs(own.parts) do
    local claim = own.start .. part
    if is_claimed(part) then
      if claimed[claim] then return {'taken', own.start .. own.id, index, claimed[claim]} end
      claimed[claim] = own.id
    end
  end
end
first = origin
for i = 1, steps do
  local kind, name, _, last = step(i)
  if kind == 'forget' and not others[name] then
    local id, start = id_in(name)
    forget(start, id)
  end
  first = last + 1
end
for _, own in ipairs(owns) do
  if next(own.parts) then sweep(own.start, {(next(own.parts))}, 3) end
end
for _, own in ipairs(owns) do enter(own) end
