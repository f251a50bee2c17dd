-- Stands around a script that writes a record's own fields, and does nothing unless the record exists.
-- Returns an empty table if it does not.
local IS_RECORD = true
if redis.call('EXISTS', KEYS[1]) == 0 then return {} end
--[[SCRIPT]]
