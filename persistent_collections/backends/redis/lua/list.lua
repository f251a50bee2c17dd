-- Stands before the scripts that work on positions of a list.

local MANY = 50000 -- setting so many, each of which is looked for, takes longer than to write all around them anew

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

-- Put list[first..last] in place of the items from..to-1 of n, moving whichever side of them is shorter.
local function splice(n, from, to, list, first, last)
  if from == to and first > last then return end
  if from == 0 and to == n then return rewrite('RPUSH', list, first, last) end
  local left = time_left(KEYS)
  if from < n - to then
    local head = from == 0 and {} or redis.call('LRANGE', KEYS[1], 0, from - 1) -- 0, -1 would be all of it
    redis.call('LTRIM', KEYS[1], to, -1)
    feed('LPUSH', KEYS[1], reversed(list, first, last), 1, last - first + 1)
    feed('LPUSH', KEYS[1], reversed(head, 1, from), 1, from)
  else
    local tail = redis.call('LRANGE', KEYS[1], to, -1)
    redis.call('LTRIM', KEYS[1], 0, from - 1)
    feed('RPUSH', KEYS[1], list, first, last)
    feed('RPUSH', KEYS[1], tail, 1, #tail)
  end
  settle(KEYS[1], left)
end

-- Return a text made from `token` that none of the `span` items at one end is; direction 1 is the head, -1 the tail.
-- LREM and LINSERT look through the same items, so the first match they find is the one that was set to this text.
local function marker(token, direction, span)
  local text, tries = token, 0
  while redis.call('LPOS', KEYS[1], text, 'RANK', direction, 'MAXLEN', span) do
    tries = tries + 1
    text = token .. tries
  end
  return text
end
