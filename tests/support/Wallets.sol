// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

bytes4 constant MAGIC = 0x1626ba7e;

/// @title A wallet that signs by contract (ERC-1271): it accepts one signature of one digest
contract Wallet {
    bytes32 private _accepted;

    function accept(bytes32 digest, bytes memory signature) external {
        _accepted = keccak256(bytes.concat(digest, signature));
    }

    function isValidSignature(bytes32 digest, bytes calldata signature) external view returns (bytes4) {
        return keccak256(bytes.concat(digest, signature)) == _accepted ? MAGIC : bytes4(0);
    }
}

/// @title Wallets that answer wrongly
contract BadWallet {
    enum Answer {
        Reverts,
        /// Burns all the gas it is given.
        BurnsGas,
        /// Returns as much data as its gas allowance pays for.
        ReturnsABomb,
        RevertsWithABomb,
        Nothing,
        /// The right four bytes and nothing after them.
        FourBytes,
        /// The right four bytes followed by rubbish.
        Dirty,
        /// A word that means yes to other questions.
        One,
        /// The right four bytes at the wrong end of the word.
        RightAligned,
        /// The right word, but as revert data.
        RevertsWithMagic
    }

    Answer private _answer;

    function answerWith(Answer answer) external {
        _answer = answer;
    }

    function isValidSignature(bytes32, bytes calldata) external view {
        Answer answer = _answer;
        if (answer == Answer.BurnsGas) {
            assembly {
                invalid()
            }
        }
        if (answer == Answer.ReturnsABomb) _return(0, 440_000);
        if (answer == Answer.RevertsWithABomb) {
            assembly {
                revert(0, 440000)
            }
        }
        if (answer == Answer.Nothing) _return(0, 0);
        if (answer == Answer.FourBytes) _return(uint256(bytes32(MAGIC)), 4);
        if (answer == Answer.Dirty) _return(uint256(bytes32(MAGIC)) | 1, 32);
        if (answer == Answer.One) _return(1, 32);
        if (answer == Answer.RightAligned) _return(uint32(MAGIC), 32);
        if (answer == Answer.RevertsWithMagic) {
            uint256 word = uint256(bytes32(MAGIC));
            assembly {
                mstore(0, word)
                revert(0, 32)
            }
        }
        revert();
    }

    function _return(uint256 word, uint256 size) private pure {
        assembly {
            mstore(0, word)
            return(0, size)
        }
    }
}

/// @title A wallet with a costly curve, such as a passkey's in plain code
contract SlowWallet {
    uint256 private immutable GAS;

    constructor(uint256 gas_) {
        GAS = gas_;
    }

    function isValidSignature(bytes32, bytes calldata) external view returns (bytes4) {
        uint256 atStart = gasleft();
        while (atStart - gasleft() < GAS) {}
        return MAGIC;
    }
}
