-- Decides one call against all of its layers and charges them, in one step that no other call can come between.
--
-- KEYS: one for each layer.  ARGV: the cost in events, then of each layer its rate a second and what its level may reach.
-- A value is two doubles: the level in events, and when it had that level in microseconds since 1970. A key lives as
-- long as its level takes to drain: what is gone and what is drained mean the same.
-- Returns for each layer its level before the call, as text: Redis would cut a number to an integer.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local cost = tonumber(ARGV[1])
local levels = {}
local allowed = true

local function write(key, level, rate)
    redis.call('SET', key, struct.pack('<dd', level, now), 'PX', math.ceil(level / rate * 1000) + 1)
end

for i, key in ipairs(KEYS) do
    local rate, burst = tonumber(ARGV[2 * i]), tonumber(ARGV[2 * i + 1])
    local value = redis.call('GET', key)
    local level = 0
    if value then
        local before, at = struct.unpack('<dd', value)
        level = math.max(0, before - math.max(0, now - at) / 1000000 * rate)
        -- The clock was put back: the level drains from now on, and not only when the clock is where it was.
        if at > now then write(key, level, rate) end
    end
    levels[i] = level
    if level + cost > burst then allowed = false end
end

local answer = {}
for i, key in ipairs(KEYS) do
    if allowed then write(key, levels[i] + cost, tonumber(ARGV[2 * i])) end
    answer[i] = string.format('%.17g', levels[i])
end
return answer
