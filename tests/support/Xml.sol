// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

/// @title Is it well-formed XML?
/// @notice Of the small part of XML that a picture needs: elements, attributes in double quotes, text, the five
/// entities. Reverts with where it is not. No comments, no declarations, no processing instructions.
library Xml {
    error NotXml(uint256 at, string why);

    function check(string memory text) internal pure {
        bytes memory s = bytes(text);
        bytes32[] memory open = new bytes32[](32);
        uint256 depth;
        uint256 i;
        do {
            if (s[i] != "<") {
                require(depth != 0, NotXml(i, "text outside of the root"));
                i = _character(s, i);
            } else if (s[i + 1] == "/") {
                bytes32 name;
                (name, i) = _name(s, i + 2);
                require(depth != 0 && open[--depth] == name, NotXml(i, "closes another element"));
                require(s[i++] == ">", NotXml(i, "no end of the closing tag"));
            } else {
                (open[depth], i) = _name(s, i + 1);
                i = _attributes(s, i);
                if (s[i] == "/") ++i;
                else ++depth;
                require(s[i++] == ">", NotXml(i, "no end of the tag"));
            }
        } while (depth != 0);
        require(i == s.length, NotXml(i, "more than one root"));
    }

    function _name(bytes memory s, uint256 i) private pure returns (bytes32 hash, uint256) {
        bytes memory name;
        for (; _isLetter(s[i]); ++i) {
            name = bytes.concat(name, s[i]);
        }
        require(name.length != 0, NotXml(i, "no name"));
        return (keccak256(name), i);
    }

    function _attributes(bytes memory s, uint256 i) private pure returns (uint256) {
        while (s[i] == " ") {
            (, i) = _name(s, i + 1);
            require(s[i] == "=" && s[i + 1] == '"', NotXml(i, "no value"));
            i += 2;
            while (s[i] != '"') {
                require(s[i] != "<", NotXml(i, "a tag in a value"));
                i = _character(s, i);
            }
            ++i;
        }
        return i;
    }

    function _character(bytes memory s, uint256 i) private pure returns (uint256) {
        require(uint8(s[i]) >= 0x20 && uint8(s[i]) != 0x7f, NotXml(i, "a control character"));
        if (s[i] != "&") return i + 1;
        for (uint256 end = i; end < i + 7; ++end) {
            if (s[end] != ";") continue;
            bytes memory entity;
            for (uint256 j = i + 1; j < end; ++j) {
                entity = bytes.concat(entity, s[j]);
            }
            bytes32 h = keccak256(entity);
            if (
                h == keccak256("amp") || h == keccak256("lt") || h == keccak256("gt") || h == keccak256("quot")
                    || h == keccak256("#39")
            ) return end + 1;
        }
        revert NotXml(i, "a bare ampersand");
    }

    function _isLetter(bytes1 c) private pure returns (bool) {
        return (c >= "a" && c <= "z") || (c >= "A" && c <= "Z") || (c >= "0" && c <= "9") || c == "-";
    }
}
