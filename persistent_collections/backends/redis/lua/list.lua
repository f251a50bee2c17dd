-- Stands before the scripts that work on positions of a list.

local LOOK = 1 / 100 -- how long it takes to look at an item; moving one takes 1

-- Return how long it takes to find and set one of n items, on the same scale.
local function setting(n)
  return 2 + n / 250000
end

-- Return the first index, the step and the number of the indexes that Python's slice(start, stop, step) selects of n
-- items; an empty text is None.
local function selected(start, stop, step, n)
  step = tonumber(step)
  local lowest, highest = 0, n
  if step < 0 then lowest, highest = -1, n - 1 end
  local function bound(text, default)
    if text == '' then return default end
    local at = tonumber(text)
    if at < 0 then at = at + n end
    return math.max(lowest, math.min(at, highest))
  end
  local from = bound(start, step < 0 and highest or lowest)
  local to = bound(stop, step < 0 and lowest or highest)
  return from, step, math.max(0, math.ceil((to - from) / step))
end

local function reversed(list, first, last)
  local turned = {}
  for i = last, first, -1 do turned[#turned + 1] = list[i] end
  return turned
end

-- Delete `count` items, the first at index `from` and the others `step` apart, setting each to `token`, a random
-- text that no list holds. LREM looks for it from the end that is nearer.
local function remove(n, from, step, count, token)
  redis.call('LPOP', KEYS[1], 0) -- changes nothing; after a command that needs no memory, a full server refuses none
  for i = 0, count - 1 do redis.call('LSET', KEYS[1], from + i * step, token) end
  local to = from + (count - 1) * step
  redis.call('LREM', KEYS[1], to + 1 < n - from and count or -count, token)
end

-- Put list[first..last] in place of the items from..to-1 of n: set those that stay, then insert or remove the others, by
-- `token`, or move whichever side of them is shorter.
local function splice(n, from, to, list, first, last, token)
  local old, new = to - from, last - first + 1
  if old == 0 and new == 0 then return end
  if from == 0 and to == n then return put('RPUSH', KEYS[1], list, first, last) end
  local same = math.min(old, new)
  local moved = math.min(from, n - to) + new
  local looked = math.max(new - old, 0) * (from + same) + (old > new and math.min(to, n - from) or 0)
  if math.max(old, new) * setting(n) + looked * LOOK < moved then
    for i = 0, same - 1 do redis.call('LSET', KEYS[1], from + i, list[first + i]) end
    if old > new then return remove(n, from + same, 1, old - new, token) end
    if old == new then return end
    local at = from + same
    local following = redis.call('LINDEX', KEYS[1], at)
    redis.call('LSET', KEYS[1], at, token)
    for i = first + same, last do redis.call('LINSERT', KEYS[1], 'BEFORE', token, list[i]) end
    redis.call('LSET', KEYS[1], at + new - same, following)
    return
  end
  if from < n - to then
    local head = from == 0 and {} or redis.call('LRANGE', KEYS[1], 0, from - 1) -- 0, -1 would be all of it
    redis.call('LTRIM', KEYS[1], to, -1)
    feed('LPUSH', KEYS[1], reversed(list, first, last), 1, new)
    feed('LPUSH', KEYS[1], reversed(head, 1, from), 1, from)
  else
    local tail = redis.call('LRANGE', KEYS[1], to, -1)
    redis.call('LTRIM', KEYS[1], 0, from - 1)
    feed('RPUSH', KEYS[1], list, first, last)
    feed('RPUSH', KEYS[1], tail, 1, #tail)
  end
end
