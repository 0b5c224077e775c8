//! The picture that an authenticator app scans: a QR code as a PNG.

use pipeline::Result;
use png::{BitDepth, ColorType, Encoder};
use qrcodegen::{QrCode, QrCodeEcc};
use wire::Fault;

/// Pixels of a module's side.
const SCALE: usize = 4;
/// Modules of the margin (ISO/IEC 18004 wants four).
const MARGIN: i32 = 4;

/// The address that apps read (IAM API Reference, "VirtualMFADevice", `QRCodePNG`).
pub(super) fn address(device: &str, account: &str, seed: &str) -> String {
    format!("otpauth://totp/{}@{account}?secret={seed}", escaped(device))
}

/// Percent-encoding of what names of devices may hold and addresses may not.
fn escaped(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => text.push(byte.into()),
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

/// A text as a black and white PNG of one bit a pixel.
pub(super) fn png(text: &str) -> Result<Vec<u8>> {
    let code = QrCode::encode_text(text, QrCodeEcc::Medium).map_err(Fault::internal)?;
    let modules = -MARGIN..code.size().saturating_add(MARGIN);
    let mut pixels = Vec::new();
    for y in modules.clone() {
        let row: Vec<bool> = modules
            .clone()
            .flat_map(|x| std::iter::repeat_n(!code.get_module(x, y), SCALE))
            .collect();
        let packed: Vec<u8> = row
            .chunks(8)
            .map(|eight| {
                let bits = eight.iter().enumerate();
                bits.fold(0, |byte, (place, white)| byte | u8::from(*white) << (7 - place))
            })
            .collect();
        for _ in 0..SCALE {
            pixels.extend_from_slice(&packed);
        }
    }
    let side = u32::try_from(modules.count().saturating_mul(SCALE)).map_err(Fault::internal)?;
    let mut out = Vec::new();
    let mut encoder = Encoder::new(&mut out, side, side);
    encoder.set_color(ColorType::Grayscale);
    encoder.set_depth(BitDepth::One);
    let mut writer = encoder.write_header().map_err(Fault::internal)?;
    writer.write_image_data(&pixels).map_err(Fault::internal)?;
    writer.finish().map_err(Fault::internal)?;
    Ok(out)
}

/// Base32 (RFC 4648, section 6) of a seed whose length is a multiple of five bytes, so that it needs no padding.
pub(super) fn base32(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut text = String::with_capacity(bytes.len().div_ceil(5) * 8);
    for five in bytes.chunks(5) {
        let number = five
            .iter()
            .fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
        for place in (0..8).rev() {
            let digit = usize::try_from((number >> (place * 5)) & 31).unwrap_or_default();
            text.push(ALPHABET.get(digit).copied().unwrap_or(b'A').into());
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4648, section 10.
    #[test]
    fn base32_is_that_of_the_rfc() {
        assert_eq!(base32(b"fooba"), "MZXW6YTB");
        assert_eq!(
            base32(b"12345678901234567890"),
            "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
        );
    }

    #[test]
    fn the_picture_is_a_png_that_holds_the_modules_of_the_code() {
        let text = address("ana", "111122223333", "GEZDGNBVGY3TQOJQ");
        let bytes = png(&text).map_err(|fault| fault.message).unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(&bytes))
            .read_info()
            .unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let frame = reader.next_frame(&mut pixels).unwrap();
        let code = QrCode::encode_text(&text, QrCodeEcc::Medium).unwrap();
        let side = usize::try_from(code.size() + 2 * MARGIN).unwrap() * SCALE;
        assert_eq!((frame.width as usize, frame.height as usize), (side, side));
        for y in 0..side {
            for x in 0..side {
                let white = pixels[y * frame.line_size + x / 8] >> (7 - x % 8) & 1 == 1;
                let module = |pixel: usize| i32::try_from(pixel / SCALE).unwrap() - MARGIN;
                assert_eq!(white, !code.get_module(module(x), module(y)), "pixel {x}, {y}");
            }
        }
    }
}
