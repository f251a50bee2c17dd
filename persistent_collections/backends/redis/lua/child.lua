-- Stands around a script that writes a child, and does nothing unless its owner, KEYS[2], exists.
-- Returns an empty table if it does not, and a table of one if there is no child and the owner has a field of its name.
-- A child that the script makes vanishes together with its owner.
local IS_RECORD = false
local left = redis.call('PTTL', KEYS[2])
if left == -2 then return {} end
local is_new = redis.call('EXISTS', KEYS[1]) == 0
if is_new and redis.pcall('HEXISTS', KEYS[2], KEYS[1]:match('[^:]*$')) == 1 then return {{}} end

local function write()
  --[[SCRIPT]]
end

local reply = write()
if is_new and left >= 0 then follow(KEYS[1], KEYS[2]) end
return reply
