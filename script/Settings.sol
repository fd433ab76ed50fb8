// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {
    ALGORITHM_ETCHASH,
    ALGORITHM_ETHASH,
    ALGORITHM_SCRYPT,
    ALGORITHM_SHA256D,
    Bounds,
    Registration
} from "contracts/src/interfaces/LeaseTypes.sol";
import {Chains} from "script/Chains.sol";
import {LibString} from "solady/utils/LibString.sol";
import {SafeCastLib} from "solady/utils/SafeCastLib.sol";

/// @title What the environment asks for
/// @notice Every variable is read here, and everything that is wrong with them is told at once.
/// `cargo xtask deploy` applies the same rules, in the same words, before anything is compiled.
///
/// `HASHLEASE_COMMITTEE_OWNERS` and `HASHLEASE_COMMITTEE_KEYS` are addresses separated by commas;
/// `HASHLEASE_COMMITTEE_THRESHOLD` is the number of signatures that a statement needs. An oracle is
/// registered with `HASHLEASE_ORACLE_PAYEE`, `…_WINDOW` (seconds, default 48 h), `…_FEE_BPS`
/// (default 100), `…_ALGORITHMS` (names separated by commas, default all), `…_LATEST_END` (Unix
/// seconds, default 0 for none) and `…_MIN_BOND_BPS` (default 0). `HASHLEASE_GOVERNOR`,
/// `HASHLEASE_GUARDIAN` and `HASHLEASE_TREASURY` are the deployer on a local chain unless they are
/// set. `HASHLEASE_DEPLOYMENT_NAME` names the file in `script/deployments`, by default the chain's
/// id.
abstract contract Settings is Chains {
    /// @dev As in `CommitteeOracle`.
    uint256 private constant MAX_MEMBERS = 32;
    /// @dev As in `Registry`.
    uint256 private constant MAX_FEE_BPS = 300;
    uint256 private constant MAX_BPS = 10_000;
    string private constant ADDRESS = "an address (0x and 40 hex digits, checksum right)";
    string private constant NAMES = "names out of sha256d, scrypt, ethash, etchash, separated by commas";

    /// @notice The committee that is registered with the deployment.
    struct Committee {
        address[] owners;
        address[] keys;
        uint256 threshold;
    }

    /// @notice Accounts that get rights.
    struct People {
        address governor;
        address guardian;
        address treasury;
    }

    string[] private _problems;

    // ---------------------------------------------------------------- problems

    function _wrong(string memory name, string memory expected, string memory got) internal {
        _problems.push(string.concat(name, ": expected ", expected, ", got ", bytes(got).length == 0 ? "nothing" : got));
    }

    /// @dev Ends the script if anything is wrong.
    function _tellProblems() internal view {
        string memory all;
        for (uint256 i; i < _problems.length; ++i) {
            all = string.concat(all, "\n", _problems[i]);
        }
        require(_problems.length == 0, all);
    }

    // ---------------------------------------------------------------- what is asked

    function _committee() internal returns (Committee memory c) {
        c.owners = _addresses("HASHLEASE_COMMITTEE_OWNERS");
        c.keys = _addresses("HASHLEASE_COMMITTEE_KEYS");
        uint256 count = c.owners.length;
        if (count > MAX_MEMBERS) _wrong("HASHLEASE_COMMITTEE_OWNERS", "at most 32 addresses", vm.toString(count));
        if (c.keys.length != count && c.keys.length != 0 && count != 0) {
            string memory expected = string.concat("as many addresses as owners, ", vm.toString(count));
            _wrong("HASHLEASE_COMMITTEE_KEYS", expected, vm.toString(c.keys.length));
        }
        c.threshold = _number("HASHLEASE_COMMITTEE_THRESHOLD", "", 1, count == 0 ? MAX_MEMBERS : count);
    }

    function _registration(bool voids) internal returns (Registration memory r) {
        Bounds memory b = _bounds();
        uint256 shortest = voids ? b.minVoidingWindow : b.minWindow;
        r.voids = voids;
        r.payee = _address("HASHLEASE_ORACLE_PAYEE");
        r.window = SafeCastLib.toUint32(
            _number("HASHLEASE_ORACLE_WINDOW", voids ? "691200" : "172800", shortest, b.maxWindow)
        );
        r.feeBps = SafeCastLib.toUint16(_number("HASHLEASE_ORACLE_FEE_BPS", "100", 0, MAX_FEE_BPS));
        r.algorithms = _algorithms("HASHLEASE_ORACLE_ALGORITHMS");
        r.latestEnd = SafeCastLib.toUint40(_number("HASHLEASE_ORACLE_LATEST_END", "0", 0, type(uint40).max));
        r.minBondBps = SafeCastLib.toUint16(_number("HASHLEASE_ORACLE_MIN_BOND_BPS", "0", 0, MAX_BPS));
        if (r.latestEnd != 0 && r.latestEnd <= block.timestamp) {
            _wrong("HASHLEASE_ORACLE_LATEST_END", "0 or a time to come", vm.toString(r.latestEnd));
        }
    }

    function _externalUrl() internal returns (string memory url) {
        url = _text("HASHLEASE_EXTERNAL_URL");
        if (bytes(url).length != 0 && !LibString.startsWith(url, "https://")) {
            _wrong("HASHLEASE_EXTERNAL_URL", "nothing or a URL that begins with https://", url);
        }
    }

    function _people(address deployer) internal returns (People memory people) {
        people.governor = _person("HASHLEASE_GOVERNOR", deployer);
        people.guardian = _person("HASHLEASE_GUARDIAN", deployer);
        people.treasury = _person("HASHLEASE_TREASURY", deployer);
        if (block.chainid != LOCAL && people.governor == deployer) {
            _wrong("HASHLEASE_GOVERNOR", "another account than the deployer, for the timelock", vm.toString(deployer));
        }
    }

    function _person(string memory name, address deployer) private returns (address) {
        bool isDeployer = block.chainid == LOCAL && bytes(_text(name)).length == 0;
        return isDeployer ? deployer : _address(name);
    }

    function _checkName() internal {
        bytes memory letters = bytes(_text("HASHLEASE_DEPLOYMENT_NAME"));
        for (uint256 i; i < letters.length; ++i) {
            bytes1 c = letters[i];
            if ((c >= "0" && c <= "9") || (c >= "a" && c <= "z") || (c >= "A" && c <= "Z") || c == "-") continue;
            _wrong("HASHLEASE_DEPLOYMENT_NAME", "letters, digits and hyphens", string(letters));
            return;
        }
    }

    // ---------------------------------------------------------------- kinds of values

    function _address(string memory name) internal returns (address at) {
        string memory text = _text(name);
        bool isRight;
        (isRight, at) = _parsed(text);
        if (!isRight) _wrong(name, ADDRESS, text);
        else if (at == address(0)) _wrong(name, "an address other than zero", text);
    }

    function _addresses(string memory name) private returns (address[] memory list) {
        string memory text = _text(name);
        if (bytes(text).length == 0) {
            _wrong(name, "1 to 32 addresses separated by commas", "");
            return list;
        }
        string[] memory entries = vm.split(text, ",");
        list = new address[](entries.length);
        for (uint256 i; i < entries.length; ++i) {
            string memory entry = vm.trim(entries[i]);
            string memory what = string.concat("entry ", vm.toString(i + 1), " to be ");
            bool isRight;
            (isRight, list[i]) = _parsed(entry);
            if (!isRight) _wrong(name, string.concat(what, ADDRESS), entry);
            else if (list[i] == address(0)) _wrong(name, string.concat(what, "an address other than zero"), entry);
            else if (_isBefore(list, i)) _wrong(name, string.concat(what, "unlike those before it"), entry);
        }
    }

    function _isBefore(address[] memory list, uint256 index) private pure returns (bool) {
        for (uint256 i; i < index; ++i) {
            if (list[i] == list[index]) return true;
        }
        return false;
    }

    /// @dev Capitals are a checksum.
    function _parsed(string memory text) private pure returns (bool isRight, address at) {
        if (bytes(text).length != 42) return (false, at);
        try vm.parseAddress(text) returns (address parsed) {
            at = parsed;
        } catch {
            return (false, at);
        }
        isRight = _equal(text, vm.toString(at)) || _equal(text, vm.toLowercase(text));
    }

    function _number(string memory name, string memory fallback_, uint256 least, uint256 most)
        private
        returns (uint256 number)
    {
        string memory text = _text(name);
        if (bytes(text).length == 0) text = fallback_;
        bool isRight = _isNumber(text);
        if (isRight) number = vm.parseUint(text);
        if (isRight && number >= least && number <= most) return number;
        string memory expected = string.concat("a whole number from ", vm.toString(least), " to ", vm.toString(most));
        _wrong(name, expected, text);
        return least;
    }

    function _isNumber(string memory text) private pure returns (bool) {
        bytes memory digits = bytes(text);
        for (uint256 i; i < digits.length; ++i) {
            if (digits[i] < "0" || digits[i] > "9") return false;
        }
        return digits.length != 0 && digits.length < 20;
    }

    function _algorithms(string memory name) private returns (uint32 bits) {
        string memory text = _text(name);
        string[4] memory known = _known();
        if (bytes(text).length == 0) text = string.concat(known[0], ",", known[1], ",", known[2], ",", known[3]);
        string[] memory names = vm.split(text, ",");
        for (uint256 i; i < names.length; ++i) {
            uint32 bit = _bit(vm.trim(names[i]));
            if (bit == 0) {
                _wrong(name, NAMES, text);
                break;
            }
            bits |= bit;
        }
    }

    function _bit(string memory algorithm) private pure returns (uint32) {
        string[4] memory known = _known();
        for (uint256 i; i < known.length; ++i) {
            if (_equal(algorithm, known[i])) return uint32(1) << _number(i);
        }
        return 0;
    }

    /// @dev Names of the algorithms in a registration's bits.
    function _names(uint32 bits) internal pure returns (string memory names) {
        string[4] memory known = _known();
        for (uint256 i; i < known.length; ++i) {
            if (bits >> _number(i) & 1 == 0) continue;
            names = string.concat(names, bytes(names).length == 0 ? "" : ", ", known[i]);
        }
    }

    function _known() private pure returns (string[4] memory) {
        return ["sha256d", "scrypt", "ethash", "etchash"];
    }

    function _number(uint256 index) private pure returns (uint8) {
        return [ALGORITHM_SHA256D, ALGORITHM_SCRYPT, ALGORITHM_ETHASH, ALGORITHM_ETCHASH][index];
    }

    function _equal(string memory a, string memory b) private pure returns (bool) {
        return keccak256(bytes(a)) == keccak256(bytes(b));
    }
}
