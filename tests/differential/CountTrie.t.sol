// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {CountTrie} from "contracts/src/verify/CountTrie.sol";
import {Test} from "forge-std/Test.sol";

/// @notice The contracts accept the openings that nodes make: `tests/vectors/trie.json`, written by
/// `crates/trie/tests/vectors.rs`.
contract CountTrieTest is Test {
    /// @dev One trie of the file. Its openings' steps follow one another, each from the root down.
    struct Set {
        string name;
        bytes32[] keys;
        bytes32 root;
        uint64 count;
        uint256[] points;
        uint256[] depths;
        bytes32[] stepHashes;
        uint256[] stepCounts;
    }

    uint256 private constant SETS = 11;
    string private json;

    function setUp() public {
        json = vm.readFile("tests/vectors/trie.json");
    }

    // ---------------------------------------------------------------- reading

    function _set(uint256 index) private view returns (Set memory s) {
        string memory at = string.concat(".sets[", vm.toString(index), "]");
        s.name = vm.parseJsonString(json, string.concat(at, ".name"));
        s.keys = vm.parseJsonBytes32Array(json, string.concat(at, ".keys"));
        s.root = vm.parseJsonBytes32(json, string.concat(at, ".root"));
        s.count = uint64(vm.parseJsonUint(json, string.concat(at, ".count")));
        s.points = vm.parseJsonUintArray(json, string.concat(at, ".points"));
        s.depths = vm.parseJsonUintArray(json, string.concat(at, ".depths"));
        s.stepHashes = vm.parseJsonBytes32Array(json, string.concat(at, ".stepHashes"));
        s.stepCounts = vm.parseJsonUintArray(json, string.concat(at, ".stepCounts"));
    }

    function _steps(Set memory s, uint256 from, uint256 depth) private pure returns (CountTrie.Step[] memory steps) {
        steps = new CountTrie.Step[](depth);
        for (uint256 i; i < depth; ++i) {
            steps[i] = CountTrie.Step({hash: s.stepHashes[from + i], count: uint64(s.stepCounts[from + i])});
        }
    }

    /// @dev An external call, so that a test can see its revert.
    function verify(bytes32 root, uint64 count, uint64 point, bytes32 key, CountTrie.Step[] calldata steps)
        external
        pure
    {
        CountTrie.verify(root, count, point, key, steps);
    }

    function _holds(Set memory s, uint64 point, bytes32 key, CountTrie.Step[] memory steps)
        private
        view
        returns (bool)
    {
        try this.verify(s.root, s.count, point, key, steps) {
            return true;
        } catch {
            return false;
        }
    }

    // ---------------------------------------------------------------- openings

    function test_TheOpeningsOfTheFile_Hold() public view {
        uint256 opened;
        for (uint256 i; i < SETS; ++i) {
            Set memory s = _set(i);
            assertEq(s.keys.length, s.count, s.name);
            uint256 from;
            for (uint256 p; p < s.points.length; ++p) {
                uint64 point = uint64(s.points[p]);
                CountTrie.verify(s.root, s.count, point, s.keys[point], _steps(s, from, s.depths[p]));
                from += s.depths[p];
                ++opened;
            }
            assertEq(from, s.stepHashes.length, s.name);
        }
        assertEq(opened, 42);
        assertFalse(vm.keyExistsJson(json, string.concat(".sets[", vm.toString(SETS), "]")), "no set is left out");
    }

    function test_WhenOnePartOfAnOpeningIsWrong_ItDoesNotHold() public view {
        for (uint256 i; i < SETS; ++i) {
            Set memory s = _set(i);
            uint256 from;
            for (uint256 p; p < s.points.length; ++p) {
                _spoil(s, uint64(s.points[p]), from, s.depths[p]);
                from += s.depths[p];
            }
        }
    }

    function _spoil(Set memory s, uint64 point, uint256 from, uint256 depth) private view {
        bytes32 key = s.keys[point];
        CountTrie.Step[] memory steps = _steps(s, from, depth);
        assertTrue(_holds(s, point, key, steps), s.name);
        assertFalse(_holds(s, point + 1, key, steps), "another point");
        if (point > 0) assertFalse(_holds(s, point - 1, key, steps), "another point");
        assertFalse(_holds(s, point, key ^ bytes32(uint256(1)), steps), "another key");
        // the key's last bit on the path decides the side
        if (depth > 0) assertFalse(_holds(s, point, key ^ bytes32(2 ** (256 - depth)), steps), "another side");
        // along the path
        for (uint256 level; level < depth; level += depth > 8 ? depth / 4 : 1) {
            CountTrie.Step memory step = steps[level];
            (bytes32 hash, uint64 count) = (step.hash, step.count);
            step.hash = ~hash;
            assertFalse(_holds(s, point, key, steps), "another hash");
            (step.hash, step.count) = (hash, count + 1);
            assertFalse(_holds(s, point, key, steps), "a count too many");
            if (count > 0) {
                step.count = count - 1;
                assertFalse(_holds(s, point, key, steps), "a count too few");
            }
            step.count = count;
        }
        if (depth > 0) {
            assertFalse(_holds(s, point, key, _steps(s, from, depth - 1)), "too short");
            assertFalse(_holds(s, point, key, _steps(s, from + 1, depth - 1)), "without its top");
        }
        s.count += 1;
        assertFalse(_holds(s, point, key, steps), "more leaves than there are");
        s.count -= 1;
    }

    // ---------------------------------------------------------------- reasons

    /// @dev The first opening of "two that differ in bit 0".
    function _two() private view returns (Set memory s, CountTrie.Step[] memory steps) {
        s = _set(3);
        steps = _steps(s, 0, 1);
    }

    function test_WhenThePathIsTooDeep_Reverts() public {
        Set memory s = _set(1);
        vm.expectRevert(abi.encodeWithSelector(CountTrie.TooDeep.selector, 65));
        this.verify(s.root, s.count, 0, s.keys[0], new CountTrie.Step[](65));
    }

    function test_WhenThePointIsOutside_Reverts() public {
        (Set memory s, CountTrie.Step[] memory steps) = _two();
        vm.expectRevert(abi.encodeWithSelector(CountTrie.PointOutside.selector, 2, 2));
        this.verify(s.root, 2, 2, s.keys[0], steps);
        // every point lies outside an empty trie
        vm.expectRevert(abi.encodeWithSelector(CountTrie.PointOutside.selector, 0, 0));
        this.verify(0, 0, 0, s.keys[0], new CountTrie.Step[](0));
    }

    function test_WhenTheSiblingHoldsAll_Reverts() public {
        (Set memory s, CountTrie.Step[] memory steps) = _two();
        steps[0].count = 2;
        vm.expectRevert(CountTrie.CountsDiffer.selector);
        this.verify(s.root, 2, 0, s.keys[0], steps);
        steps[0].count = type(uint64).max;
        vm.expectRevert(CountTrie.CountsDiffer.selector);
        this.verify(s.root, 2, 0, s.keys[0], steps);
    }

    function test_WhenThePointFallsOnAnotherLeaf_Reverts() public {
        (Set memory s, CountTrie.Step[] memory steps) = _two();
        vm.expectRevert(abi.encodeWithSelector(CountTrie.NotOnLeaf.selector, 1));
        this.verify(s.root, 2, 1, s.keys[0], steps);
        vm.expectRevert(abi.encodeWithSelector(CountTrie.NotOnLeaf.selector, 0));
        this.verify(s.root, 2, 0, s.keys[1], steps);
        // a node is no leaf
        vm.expectRevert(abi.encodeWithSelector(CountTrie.NotOnLeaf.selector, 0));
        this.verify(s.root, 2, 0, s.keys[0], new CountTrie.Step[](0));
    }

    function test_WhenTheHashesDiffer_Reverts() public {
        Set memory s = _set(1);
        bytes32 key = ~s.keys[0];
        bytes32 leaf = keccak256(abi.encode(key));
        vm.expectRevert(abi.encodeWithSelector(CountTrie.RootDiffers.selector, s.root, leaf));
        this.verify(s.root, 1, 0, key, new CountTrie.Step[](0));
    }

    // ---------------------------------------------------------------- evidence

    function test_TheEvidence_ChainsTheEpochs() public view {
        bytes32[] memory roots = vm.parseJsonBytes32Array(json, ".chain.roots");
        uint256[] memory counts = vm.parseJsonUintArray(json, ".chain.counts");
        bytes32[] memory links = vm.parseJsonBytes32Array(json, ".chain.links");
        bytes32 link;
        for (uint256 i; i < roots.length; ++i) {
            link = keccak256(abi.encode(link, roots[i], counts[i]));
            assertEq(link, links[i]);
        }
        assertEq(roots.length, 3);
    }
}
