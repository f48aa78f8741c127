-- SPDX-License-Identifier: Apache-2.0
-- Actions for conf/simulate.json. Edit this file while it is served: it is
-- loaded anew within a second or so. See "Lua" in holdfast.json(5).

-- A running average of the level in holding register 0; what stands in
-- cell.state stays until the next call.
function average(cell)
    local level = read("hr", 0)
    local s = cell.state
    s.average = s.average or level
    s.average = s.average + cell.parameters.weight * (level - s.average)
    return s.average
end

-- How often a client has read it, as a string of up to 16 bytes.
function words(cell)
    local s = cell.state
    s.reads = (s.reads or 0) + 1
    return string.format("read %d times", s.reads)
end
