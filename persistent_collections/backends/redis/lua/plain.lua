-- Stands around a script whose key has no owner.
local IS_RECORD = false
--[[SCRIPT]]
