-- Compare-and-set, each on its own, in the order of KEYS.
--
-- KEYS     one order each; all share a hash tag in a cluster
-- ARGV[1]  now, in Unix milliseconds, by the clock of the writer
-- ARGV[2]  the channel that tells of changes
-- ARGV[3…] per key: one byte of allowed statuses, 16 bytes of order id, the new value without its history
--
-- Answers per key: 1 if written, the present value if refused, nil if refused since nothing is there.
-- The layout of values is described in value.rs.
local FORMAT, INIT, CHANGE, HEAD, CODE_MAX = 1, 1, 9, 44, 7
local HISTORY_KEPT = 63 * CHANGE
local TTL_MS_MAX = 315360000000
local byte, sub, unpack = string.byte, string.sub, struct.unpack

-- The code of the status in a value that has not expired; 0 for everything else. Whatever lies under a key, reading it
-- must not fail: an error would end the script, and with it every transition of the chunk.
local function code_of(value, now)
    if type(value) ~= 'string' or #value < HEAD or byte(value, 1) ~= FORMAT then
        return 0
    end
    local code, changes = byte(value, 2), #value - HEAD - byte(value, HEAD)
    if code > CODE_MAX or changes < 0 or changes % CHANGE ~= 0 or unpack('>i8', value, 12) <= now then
        return 0
    end
    return code
end

local now = tonumber(ARGV[1])
local answers, changed = {}, {}
for i = 1, #KEYS do
    local argument = ARGV[i + 2]
    local head = sub(argument, 18)
    local status = byte(head, 2)
    -- A value of another type or format is not a status: it counts as missing, and SET replaces it.
    local old = redis.pcall('GET', KEYS[i])
    local code = code_of(old, now)
    if bit.band(bit.rshift(byte(argument, 1), code), 1) == 1 then
        local history = ''
        if code ~= 0 then
            if byte(head, 3) == 0 and byte(old, 3) == 1 then
                -- No cart is named: the known one stays.
                head = sub(head, 1, 2) .. '\1' .. sub(head, 4, 27) .. sub(old, 28, 43) .. sub(head, 44)
            end
            history = sub(old, 45 + byte(old, 44))
            if #history > HISTORY_KEPT then
                history = sub(history, -HISTORY_KEPT)
            end
        end
        local ttl = math.max(1, math.min(TTL_MS_MAX, unpack('>i8', head, 12) - now))
        local change = sub(head, 2, 2) .. sub(head, 4, 11)
        redis.call('SET', KEYS[i], head .. history .. change, 'PX', string.format('%.0f', ttl))
        if status ~= INIT then
            changed[#changed + 1] = sub(argument, 2, 17) .. sub(head, 2, 2)
        end
        answers[i] = 1
    elseif code == 0 then
        answers[i] = false
    elseif sub(old, 20, 27) == sub(head, 20, 27) then
        -- This very transition: its answer got lost, and the client of the cluster sent it again.
        answers[i] = 1
    else
        answers[i] = old
    end
end
if #changed > 0 then
    -- Only a hint: whoever may not publish still writes.
    redis.pcall('PUBLISH', ARGV[2], table.concat(changed))
end
return answers
