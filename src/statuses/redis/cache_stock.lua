-- Puts stock levels into the cache. A higher version stays, unless it is over 100 ms old or from the future (rule 7).
--
-- KEYS     one item each; all share a hash tag in a cluster
-- ARGV[1]  now, in Unix milliseconds, by the clock of the writer
-- ARGV[2]  how long an entry lives, in milliseconds
-- ARGV[3…] per key: the new value
--
-- Answers per key: 1 if written, 0 if a higher version stays. The layout of values is described in stock.rs.
local FORMAT, BYTES, VERSIONS_ORDER_FOR_MS = 1, 41, 100
local unpack = struct.unpack

local now = tonumber(ARGV[1])
local answers = {}
for i = 1, #KEYS do
    local new = ARGV[i + 2]
    local old = redis.pcall('GET', KEYS[i])
    local stays = false
    if type(old) == 'string' and #old == BYTES and string.byte(old, 1) == FORMAT then
        local cached_at = unpack('>i8', old, 34)
        if cached_at <= now and now - cached_at <= VERSIONS_ORDER_FOR_MS then
            -- In halves: a number of Lua has 53 bits.
            local old_high, old_low = unpack('>I4I4', old, 26)
            local new_high, new_low = unpack('>I4I4', new, 26)
            stays = old_high > new_high or (old_high == new_high and old_low > new_low)
        end
    end
    if stays then
        answers[i] = 0
    else
        redis.call('SET', KEYS[i], new, 'PX', ARGV[2])
        answers[i] = 1
    end
end
return answers
