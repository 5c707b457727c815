//! Blocks of Unicode, which our engines have no names for: those that belong to scripts and signs in daily use.

/// Their names in small letters, as Oniguruma has them behind `In`, and their first and last characters.
const BLOCKS: [(&str, &str); 29] = [
    ("arabic", r"\x{600}-\x{6FF}"),
    ("armenian", r"\x{530}-\x{58F}"),
    ("arrows", r"\x{2190}-\x{21FF}"),
    ("basiclatin", r"\x00-\x7F"),
    ("boxdrawing", r"\x{2500}-\x{257F}"),
    ("cjkcompatibilityideographs", r"\x{F900}-\x{FAFF}"),
    ("cjksymbolsandpunctuation", r"\x{3000}-\x{303F}"),
    ("cjkunifiedideographs", r"\x{4E00}-\x{9FFF}"),
    ("cjkunifiedideographsextensiona", r"\x{3400}-\x{4DBF}"),
    ("combiningdiacriticalmarks", r"\x{300}-\x{36F}"),
    ("currencysymbols", r"\x{20A0}-\x{20CF}"),
    ("cyrillic", r"\x{400}-\x{4FF}"),
    ("devanagari", r"\x{900}-\x{97F}"),
    ("generalpunctuation", r"\x{2000}-\x{206F}"),
    ("greekandcoptic", r"\x{370}-\x{3FF}"),
    ("halfwidthandfullwidthforms", r"\x{FF00}-\x{FFEF}"),
    ("hangulcompatibilityjamo", r"\x{3130}-\x{318F}"),
    ("hanguljamo", r"\x{1100}-\x{11FF}"),
    ("hangulsyllables", r"\x{AC00}-\x{D7AF}"),
    ("hebrew", r"\x{590}-\x{5FF}"),
    ("hiragana", r"\x{3040}-\x{309F}"),
    ("ipaextensions", r"\x{250}-\x{2AF}"),
    ("katakana", r"\x{30A0}-\x{30FF}"),
    ("latin1supplement", r"\x{80}-\x{FF}"),
    ("latinextendeda", r"\x{100}-\x{17F}"),
    ("latinextendedb", r"\x{180}-\x{24F}"),
    ("letterlikesymbols", r"\x{2100}-\x{214F}"),
    ("mathematicaloperators", r"\x{2200}-\x{22FF}"),
    ("thai", r"\x{E00}-\x{E7F}"),
];

/// The range of a block, for the inside of a class.
pub(super) fn block(name: &str) -> Option<&'static str> {
    BLOCKS.iter().find(|(known, _)| *known == name).map(|(_, range)| *range)
}
