// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

/// @title Is it well-formed XML?
/// @notice For the small part of XML that a picture needs: elements, attributes in double quotes,
/// text, the five entities. Reverts with the position of a fault. No comments, no declarations, no
/// processing instructions; UTF-8 is checked elsewhere.
library Xml {
    error NotXml(uint256 at, string why);

    /// @return shape Digest of the elements' and attributes' names in order; it does not depend on
    /// text and values.
    function check(string memory text) internal pure returns (bytes32 shape) {
        bytes memory s = bytes(text);
        bytes32[] memory open = new bytes32[](32);
        uint256 depth;
        uint256 i;
        require(s.length != 0 && s[0] == "<", NotXml(0, "no root"));
        do {
            require(i + 1 < s.length, NotXml(i, "an element that is not closed"));
            if (s[i] != "<") {
                i = _character(s, i);
            } else if (s[i + 1] == "/") {
                bytes32 name;
                (name, i) = _name(s, i + 2);
                require(depth != 0 && open[--depth] == name, NotXml(i, "closes another element"));
                require(s[i++] == ">", NotXml(i, "no end of the closing tag"));
                shape = keccak256(abi.encode(shape, "end"));
            } else {
                (open[depth], i) = _name(s, i + 1);
                shape = keccak256(abi.encode(shape, "element", open[depth]));
                (shape, i) = _attributes(s, i, shape);
                bool isEmpty = s[i] == "/";
                if (isEmpty) ++i;
                else ++depth;
                shape = keccak256(abi.encode(shape, isEmpty));
                require(s[i++] == ">", NotXml(i, "no end of the tag"));
            }
        } while (depth != 0);
        require(i == s.length, NotXml(i, "more than one root"));
    }

    function _name(bytes memory s, uint256 i) private pure returns (bytes32 hash, uint256 end) {
        for (end = i; _isLetter(s[end]); ++end) {}
        require(end != i, NotXml(i, "no name"));
        hash = _digest(s, i, end);
    }

    function _attributes(bytes memory s, uint256 i, bytes32 shape) private pure returns (bytes32, uint256) {
        bytes32[] memory names = new bytes32[](16);
        for (uint256 count; s[i] == " "; ++count) {
            (names[count], i) = _name(s, i + 1);
            shape = keccak256(abi.encode(shape, "attribute", names[count]));
            for (uint256 j; j < count; ++j) {
                require(names[j] != names[count], NotXml(i, "an attribute twice"));
            }
            require(s[i] == "=" && s[i + 1] == '"', NotXml(i, "no value"));
            i += 2;
            while (s[i] != '"') {
                require(s[i] != "<", NotXml(i, "a tag in a value"));
                i = _character(s, i);
            }
            ++i;
        }
        return (shape, i);
    }

    function _character(bytes memory s, uint256 i) private pure returns (uint256) {
        require(uint8(s[i]) >= 0x20 && uint8(s[i]) != 0x7f, NotXml(i, "a control character"));
        if (s[i] != "&") return i + 1;
        for (uint256 end = i + 1; end < i + 7 && end < s.length; ++end) {
            if (s[end] != ";") continue;
            bytes32 h = _digest(s, i + 1, end);
            if (
                h == keccak256("amp") || h == keccak256("lt") || h == keccak256("gt") || h == keccak256("quot")
                    || h == keccak256("#39")
            ) return end + 1;
            break;
        }
        revert NotXml(i, "a bare ampersand");
    }

    function _isLetter(bytes1 c) private pure returns (bool) {
        return (c >= "a" && c <= "z") || (c >= "A" && c <= "Z") || (c >= "0" && c <= "9") || c == "-";
    }

    function _digest(bytes memory s, uint256 from, uint256 to) private pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            hash := keccak256(add(add(s, 32), from), sub(to, from))
        }
    }
}
