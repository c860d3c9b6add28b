/// IEEE 754 half precision as bits. Swift's own `Float16` does not exist on Intel Macs.
enum HalfFloat {
    /// The nearest half, ties to even; infinity where the value is beyond 65504.
    static func bits(_ value: Float) -> UInt16 {
        let bits = value.bitPattern
        let sign = UInt16(truncatingIfNeeded: bits >> 16) & 0x8000
        let magnitude = bits & 0x7FFF_FFFF
        if magnitude > 0x7F80_0000 { return sign | 0x7E00 }  // NaN
        if magnitude >= 0x4780_0000 { return sign | 0x7C00 }  // 65536 and above
        if magnitude < 0x3880_0000 {  // below 2^-14: subnormal, steps of 2^-24
            let steps = (Float(bitPattern: magnitude) * 0x1p24).rounded(.toNearestOrEven)
            return sign | UInt16(steps)
        }
        // rebias the exponent, then round away the 13 bits that do not fit; a carry runs into the exponent as it should
        let rebiased = magnitude - (112 << 23)
        let rounded = rebiased + 0xFFF + (rebiased >> 13 & 1)
        return sign | UInt16(rounded >> 13)
    }

    /// The value of a half's bits.
    static func float(_ bits: UInt16) -> Float {
        let sign = UInt32(bits & 0x8000) << 16
        let exponent = UInt32(bits >> 10) & 0x1F
        let fraction = UInt32(bits & 0x3FF)
        switch exponent {
        case 0: return Float(bitPattern: (Float(fraction) * 0x1p-24).bitPattern | sign)
        case 31: return Float(bitPattern: sign | 0x7F80_0000 | fraction << 13)
        default: return Float(bitPattern: sign | (exponent + 112) << 23 | fraction << 13)
        }
    }
}
