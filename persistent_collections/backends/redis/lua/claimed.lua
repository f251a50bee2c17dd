-- Stands in commit.lua before the first change, when conditions hold: WRITE. A claim is dead if a contestant has forbidden
-- it, by a fence in the slot of the record, or if it is too old. Then this returns the least stamp of the next one.
-- Items of a step `claimed` on a record: the stamp, the microseconds that a claim lives.
first = origin
for i = 1, conditions do
  local kind, name, _, last = step(i)
  if kind == 'claimed' then
    local time, fence = clock(), tonumber(redis.call('GET', '{' .. name .. '}::fence') or 0)
    local stamp = tonumber(list[first])
    if stamp <= fence or time > stamp + list[first + 1] then return {as_text(math.max(fence + 1, time))} end
  end
  first = last + 1
end
