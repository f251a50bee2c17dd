-- Delete the items of an extended slice. ARGV: start, stop, step, a random text.
local n = redis.call('LLEN', KEYS[1])
local from, step, count = selected(ARGV[1], ARGV[2], ARGV[3], n)
if count == 0 then return end
local to = from + (count - 1) * step
if step < 0 then from, to, step = to, from, -step end
if count * setting(n) < to - from + math.min(from, n - to) then return remove(n, from, step, count, ARGV[4]) end
local kept = {}
for i, item in ipairs(redis.call('LRANGE', KEYS[1], from, to)) do
  if (i - 1) % step ~= 0 then kept[#kept + 1] = item end
end
redis.call('LPOP', KEYS[1], 0) -- as in remove()
splice(n, from, to + 1, kept, 1, #kept, ARGV[4])
