// SPDX-License-Identifier: Apache-2.0
// QR codes, for a page and for a terminal. The library is loaded with the first one.

/** A picture as SVG: dark on white, with the margin that readers need. */
export async function qrSvg(text: string): Promise<string> {
  const { default: qr } = await import('qrcode')
  return qr.toString(text, { type: 'svg', errorCorrectionLevel: 'M', margin: 2 })
}

/** Lines of text, two rows of dots in each. @param color whether to say that it is black on white, whatever the terminal's colours are */
export async function qrText(text: string, color: boolean): Promise<string> {
  const { default: qr } = await import('qrcode')
  const picture = await qr.toString(text, { type: 'utf8', errorCorrectionLevel: 'L', margin: 2 })
  const lines = picture.split('\n').filter((line) => line !== '')
  return color ? lines.map((line) => `\x1b[30;107m${line}\x1b[0m`).join('\n') : lines.join('\n')
}
