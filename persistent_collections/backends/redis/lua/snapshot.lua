-- Return what each of KEYS holds, at one moment: its type and, of a type that is known here, the milliseconds that are
-- left and the content. ARGV: how many fields, items or members a key may have, and how large they may be together; of
-- more it returns nothing, since a script holds all of it once more.
local READ = {
  hash = {'HLEN', 'HGETALL'},
  list = {'LLEN', 'LRANGE', 0, -1},
  set = {'SCARD', 'SMEMBERS'},
  zset = {'ZCARD', 'ZRANGE', 0, -1, 'WITHSCORES'},
}
local most, left, found = tonumber(ARGV[1]), tonumber(ARGV[2]), {}
for i, name in ipairs(KEYS) do
  local type = redis.call('TYPE', name).ok
  local read = READ[type]
  found[i] = {type}
  if read then
    if redis.call(read[1], name) > most then return false end
    local content = redis.call(read[2], name, unpack(read, 3))
    for _, data in ipairs(content) do left = left - #data end
    if left < 0 then return false end
    found[i] = {type, redis.call('PTTL', name), content}
  end
end
return found
