-- Compare-and-set, each on its own, in the order of KEYS. Several for one order stand side by side and become one write.
--
-- KEYS     one order each; all share a hash tag in a cluster
-- ARGV[1]  now, in Unix milliseconds with 13 digits, by the clock of the writer
-- ARGV[2]  the channel for changes
-- ARGV[3]  the message for it, empty if nobody waits for these changes
-- ARGV[4…] three per key: the allowed statuses as bits, the lifetime in milliseconds, the new value
--
-- Answers per key: 1 if written, the present value if refused, nil if refused since nothing is there.
--
-- value.rs describes the layout of a value: its latest change is on top, so that a change is written by putting the new
-- head over what is below the old one. Strings cost more than anything else here, so none is made that is not needed.
local CODES = {
    ['INIT            '] = 1,
    ['BLOCK           '] = 2,
    ['PAYMENT_PENDING '] = 3,
    ['PAYMENT_SUCCESS '] = 4,
    ['PAYMENT_FAILED  '] = 5,
    ['FAILED          '] = 6,
    ['PLACED          '] = 7,
}
local EXPIRES, TOKEN_END, HASH, HEAD, HISTORY = 17, 36, 38, 60, 3136
local UNKNOWN_HASH = string.byte('-')
local WELL_FORMED = '^[%u_]+ +' .. string.rep('%d', 13) .. ' ' .. string.rep('[%w+/]', 6) .. ' '
    .. string.rep('[%w+/-]', 22) .. '\n[%u_]+ ' .. string.rep('%d', 13) .. '[ %l_]*\n'
local byte, sub, find = string.byte, string.sub, string.find
local band, rshift = bit.band, bit.rshift

local now = ARGV[1]
-- The order at hand: its key, its value, and the code of its status, 0 if there is none that has not expired.
local key, value, code
-- The lifetime of a value that is to be written.
local lifetime
local answers, written = {}, false

local function store()
    if lifetime then
        redis.call('SET', key, value, 'PX', lifetime)
        lifetime = nil
    end
end

local function load(name)
    key, code = name, 0
    -- Whatever lies under a key, reading it must not fail: an error would end the script, and with it every transition
    -- of the chunk. A value of another type or format counts as missing, and SET replaces it.
    value = redis.pcall('GET', name)
    if type(value) == 'string' and #value > HEAD and sub(value, EXPIRES, EXPIRES + 12) > now then
        code = CODES[sub(value, 1, 16)] or 0
    end
end

local function allows(from)
    return band(rshift(from, code), 1) == 1
end

for i = 1, #KEYS do
    local from, new = ARGV[3 * i + 1], ARGV[3 * i + 3]
    if KEYS[i] ~= key then
        store()
        load(KEYS[i])
    end
    if code ~= 0 and not allows(from) and not find(value, WELL_FORMED) then
        code = 0
    end
    if allows(from) then
        if code ~= 0 then
            if byte(new, HASH) == UNKNOWN_HASH then
                -- No cart is named: the known one stays.
                new = sub(new, 1, HASH - 1) .. sub(value, HASH, HASH + 21) .. sub(new, HASH + 22)
            end
            new = new .. sub(value, HEAD + 1, HEAD + HISTORY)
        end
        value, code, lifetime = new, CODES[sub(new, 1, 16)], ARGV[3 * i + 2]
        answers[i], written = 1, true
    elseif code == 0 then
        answers[i] = false
    elseif sub(value, 1, TOKEN_END) == sub(new, 1, TOKEN_END) then
        -- This very transition: its answer got lost, and the client of the cluster sent it again.
        answers[i] = 1
    else
        answers[i] = value
    end
end
store()
if written and #ARGV[3] > 0 then
    -- Only a hint: whoever may not publish still writes.
    redis.pcall('PUBLISH', ARGV[2], ARGV[3])
end
return answers
